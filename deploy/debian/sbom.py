"""A bill of materials (CycloneDX 1.5, JSON) of what one package's programs are linked from: sbom.py PACKAGE"""

import json
import subprocess
import sys

PROGRAMS = {
    "chancery-keyhost": ["chanceryd", "chancery-keeper", "chancery-backup"],
    "chancery": ["chancery"],
    "chancery-audit": ["chancery-audit"],
}


def main(package: str) -> None:
    metadata = json.loads(
        subprocess.run(
            ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", host()],
            check=True, capture_output=True, text=True,
        ).stdout
    )
    packages = {p["id"]: p for p in metadata["packages"]}
    nodes = {n["id"]: n for n in metadata["resolve"]["nodes"]}
    wanted = [i for i, p in packages.items() if p["name"] in PROGRAMS[package] and p["source"] is None]
    seen = set()
    while wanted:
        current = wanted.pop()
        if current in seen:
            continue
        seen.add(current)
        # What only tests or the build need is in no program.
        wanted += [d["pkg"] for d in nodes[current]["deps"] if any(k["kind"] is None for k in d["dep_kinds"])]
    components = [component(packages[i]) for i in seen]
    components.sort(key=lambda c: (c["name"], c["version"]))
    version = next(p["version"] for p in packages.values() if p["name"] == PROGRAMS[package][0])
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": package, "version": version}},
        "components": components,
    }
    print(json.dumps(document, indent=1, sort_keys=True))


def component(package: dict) -> dict:
    found = {"type": "library", "name": package["name"], "version": package["version"], "purl": f"pkg:cargo/{package['name']}@{package['version']}"}
    if package["license"]:
        found["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
    return found


def host() -> str:
    said = subprocess.run(["rustc", "-vV"], check=True, capture_output=True, text=True).stdout
    return next(line.split()[1] for line in said.splitlines() if line.startswith("host:"))


main(sys.argv[1])
