"""Checks the packages of `cargo publish --dry-run`: reads `cargo metadata --no-deps` from standard input."""

import json
import pathlib
import re
import sys
import tarfile
import tomllib

TEXTS = ["LICENSE-MIT", "LICENSE-APACHE", "README.md"]
AT_ROOT = [*TEXTS, "CHANGELOG.md", "Cargo.toml", "Cargo.toml.orig", "Cargo.lock", ".cargo_vcs_info.json"]
METADATA = ["description", "license", "readme", "rust-version", "documentation"]
LISTS = ["keywords", "categories"]
LARGEST = 1024 * 1024

metadata = json.load(sys.stdin)
root = pathlib.Path(metadata["workspace_root"])
errors = []


def check(crate, ok, message):
    if not ok:
        errors.append(f"{crate}: {message}")


def check_readme(crate, text, names):
    """Every picture and every relative link must be in the package; the crate must say how to depend on it."""
    images = re.findall(r'(?:src|srcset)="([^"]+)"', text) + re.findall(r"!\[[^\]]*\]\(([^)\s]+)", text)
    links = re.findall(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)", text) + re.findall(r"^\[[^\]]+\]: (\S+)", text, re.MULTILINE)
    for kind, targets in [("picture", images), ("link", links)]:
        for target in targets:
            resolves = re.match(r"https://|#", target) or target.split("#")[0] in names
            check(crate, resolves, f"{kind} {target} of README.md is not in the package")


packages = [package for package in metadata["packages"] if package["publish"] is None]
check("workspace", len(packages) == 8, f"found {len(packages)} crates to publish, expected 8")
for package in packages:
    crate = package["name"]
    stem = f"{crate}-{package['version']}"
    archive = pathlib.Path(metadata["target_directory"], "package", "tmp-registry", f"{stem}.crate")
    with tarfile.open(archive) as tar:
        files = {
            member.name.removeprefix(f"{stem}/"): tar.extractfile(member).read().decode("utf-8", "replace")
            for member in tar.getmembers()
            if member.isfile()
        }
    print(f"{crate}: {len(files)} files, {archive.stat().st_size // 1024} KiB")
    check(crate, archive.stat().st_size <= LARGEST, f"larger than {LARGEST // 1024} KiB")
    manifest = tomllib.loads(files["Cargo.toml"])["package"]
    for key in METADATA:
        check(crate, manifest.get(key), f"Cargo.toml has no {key}")
    for key in LISTS:
        check(crate, 1 <= len(manifest.get(key, [])) <= 5, f"expected 1 to 5 {key}")
    # An address of the repository is given by all crates or by none.
    shared = metadata["packages"][0]["repository"]
    check(crate, manifest.get("repository") == shared, f"repository is not {shared}")
    for name in TEXTS:
        check(crate, len(files.get(name, "")) > 500, f"no {name}")
    for name in TEXTS[:2]:
        check(crate, files.get(name) == (root / name).read_text(), f"{name} differs from the workspace's")
    check(crate, "Copyright (c)" in files.get("LICENSE-MIT", ""), "LICENSE-MIT names no holder")
    check(crate, "END OF TERMS AND CONDITIONS" in files.get("LICENSE-APACHE", ""), "LICENSE-APACHE is cut off")
    readme = files.get("README.md", "")
    check(crate, crate in readme.partition("\n")[0], "README.md is not about this crate")
    check(crate, re.search(rf"^{crate} = ", readme, re.MULTILINE), "README.md has no dependency line")
    check_readme(crate, readme, files)
    for name in files:
        expected = name in AT_ROOT or name.startswith(("src/", "examples/", "migrations/", "templates/", "docs/"))
        check(crate, expected, f"{name} is in the package")

for error in errors:
    print(error, file=sys.stderr)
sys.exit(bool(errors))
