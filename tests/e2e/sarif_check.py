"""Checks a SARIF 2.1.0 log by the rules of its specification for the objects that we write: unknown properties, missing ones, types, choices, references."""
import re

STRING, INTEGER, BOOLEAN = str, int, bool
LEVELS = {"none", "note", "warning", "error"}

# property: (type or the name of an object, is it required); [x]: a list of x.
OBJECTS = {
    "log": {"$schema": (STRING, False), "version": ({"2.1.0"}, True), "runs": (["run"], True)},
    "run": {"tool": ("tool", True), "results": (["result"], False), "columnKind": ({"utf16CodeUnits", "unicodeCodePoints"}, False),
            "invocations": (["invocation"], False), "properties": ("bag", False)},
    "bag": {"asteriskVersion": (STRING, True), "asteriskVersionFrom": (STRING, False)},  # a property bag may hold anything (3.8); these are ours
    "invocation": {"executionSuccessful": (BOOLEAN, True)},
    "tool": {"driver": ("component", True)},
    "component": {"name": (STRING, True), "rules": (["rule"], False), "version": (STRING, False), "informationUri": (STRING, False)},
    "rule": {"id": (STRING, True), "name": (STRING, False), "shortDescription": ("words", False), "fullDescription": ("words", False),
             "help": ("words", False), "defaultConfiguration": ("configuration", False)},
    "words": {"text": (STRING, True)},
    "configuration": {"level": (LEVELS, False)},
    "result": {"ruleId": (STRING, False), "ruleIndex": (INTEGER, False), "level": (LEVELS, False), "message": ("message", True),
               "locations": (["location"], False), "partialFingerprints": ("fingerprints", False), "codeFlows": (["codeFlow"], False),
               "suppressions": (["suppression"], False)},
    "message": {"text": (STRING, True)},
    "location": {"physicalLocation": ("physical", False), "message": ("message", False)},
    "physical": {"artifactLocation": ("artifact", False), "region": ("region", False)},
    "artifact": {"uri": (STRING, False)},
    "region": {"startLine": (INTEGER, False), "startColumn": (INTEGER, False), "snippet": ("words", False)},
    "codeFlow": {"threadFlows": (["threadFlow"], True)},
    "threadFlow": {"locations": (["flowLocation"], True)},
    "flowLocation": {"location": ("location", False)},
    "suppression": {"kind": ({"inSource", "external"}, True), "justification": (STRING, False)},
}


def check(value, kind="log", where="log"):
    if isinstance(kind, list):
        assert isinstance(value, list), where
        for i, one in enumerate(value):
            check(one, kind[0], f"{where}[{i}]")
    elif isinstance(kind, set):
        assert value in kind, (where, value)
    elif isinstance(kind, type):
        assert type(value) is kind, (where, value)
        if kind is INTEGER:
            assert value >= 0, (where, value)
    elif kind == "fingerprints":
        assert value and all(isinstance(v, str) and v for v in value.values()), (where, value)
    else:
        assert isinstance(value, dict), where
        for name in value:
            assert name in OBJECTS[kind], f"{where}: unknown property {name}"
        for name, (inner, is_required) in OBJECTS[kind].items():
            assert name in value or not is_required, f"{where}: {name} is missing"
            if name in value:
                check(value[name], inner, f"{where}.{name}")


def check_log(log):
    """The structure, and what a schema cannot say. Returns the results."""
    check(log)
    run, = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert len({r["id"] for r in rules}) == len(rules), "rule ids are unique (3.19.23)"
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"], "ruleIndex and ruleId are the same rule (3.27.7)"
        places = [p["physicalLocation"] for p in result["locations"]]
        places += [p["location"]["physicalLocation"] for c in result.get("codeFlows", []) for t in c["threadFlows"] for p in t["locations"]]
        for place in places:
            assert re.fullmatch(r"(file:///)?[A-Za-z0-9._~%/-]+", place["artifactLocation"]["uri"]), "a URI (3.4.3)"
            if "region" in place:
                assert place["region"]["startLine"] >= 1 and place["region"]["startColumn"] >= 1, "counted from 1 (3.30.5)"
        text = result["message"]["text"]
        assert not re.search(r"[{}]", text.replace("{{", "").replace("}}", "")), f"braces are doubled (3.11.5): {text}"
        assert not re.search(r"\]\(", text), f"no link (3.11.6): {text}"
    return run["results"]
