"use strict";
(function () {
  var form = document.getElementById("filter"), rows = document.querySelectorAll("#findings tbody tr"), told = document.getElementById("told");
  if (!form) return;
  function apply() {
    var severity = form.severity.value, code = form.code.value, words = form.words.value.toLowerCase(), n = 0;
    rows.forEach(function (row) {
      var fits = (!severity || row.dataset.severity === severity) && (!code || row.dataset.code === code) &&
        (!words || row.textContent.toLowerCase().indexOf(words) >= 0);
      row.hidden = !fits;
      if (fits) n++;
    });
    told.textContent = n + " of " + rows.length + " shown";
  }
  form.hidden = false;
  form.addEventListener("input", apply);
  form.addEventListener("submit", function (event) { event.preventDefault(); });
  apply();
})();
