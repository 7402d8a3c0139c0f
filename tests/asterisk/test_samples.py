"""The sample configuration that comes with Asterisk: read without an error, and no finding that docs/audit-debian-samples.md does not have."""
import json
import os
import re

from daemon import run
from pbx import which


def test_the_samples_are_read_and_their_findings_are_reviewed(context):
    chosen = which(context)
    folder = os.path.join(chosen[1] if chosen else "/", "etc", "asterisk")
    code, out, err = run(context, "audit", folder, "--json", "--secret-age", "0")
    assert code in (0, 1) and not err, (code, err)
    with open(os.path.join(context.root, "docs", "audit-debian-samples.md"), encoding="utf-8") as page:
        reviewed = set(re.findall(r"^\| (ST\d+) \|", page.read(), re.MULTILINE))
    findings = json.loads(out)["findings"]
    strange = [f"{f['code']} {f['file']}:{f['line']}: {f['message']}" for f in findings if f["code"] not in reviewed]
    assert not strange, "\n".join(strange)
    assert len(reviewed) >= 5 and {f["code"] for f in findings} == reviewed, sorted(reviewed ^ {f["code"] for f in findings})
