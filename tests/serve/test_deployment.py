"""What runs the service, and what is written about it, agree with it."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from lentigo.serve import Settings

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs" / "service.md").read_text()


def test_every_setting_is_documented_with_its_default():
    rows = re.findall(r"^\| (`[^|]+) \| ([^|]+) \|", DOCS.partition("## Settings")[2], re.MULTILINE)
    defaults = {name: cell for names, cell in rows for name in re.findall(r"`(\w+)`", names)}
    assert set(Settings.model_fields) == set(defaults) - {"setting"}
    for name, field in Settings.model_fields.items():
        if isinstance(field.default, int | float) and field.default:
            assert re.search(rf"\b{int(field.default)}\b", defaults[name].replace(",0", "0")), name


def test_every_setting_without_a_secret_has_a_flag():
    from lentigo.cli.serve import serve as verb

    assert set(Settings.model_fields) - set(verb.__annotations__) == {"api_keys", "admin_key"}


def test_every_address_is_documented(http):
    for path in http.get("/openapi.json").json()["paths"]:
        assert path.replace("{name}", "NAME") in DOCS


def test_the_container_is_not_root_and_checks_its_health():
    text = (ROOT / "deploy" / "Dockerfile").read_text()
    last = text.rpartition("FROM ")[2]
    assert re.search(r"^USER [1-9]\d*$", last, re.MULTILINE)
    assert "HEALTHCHECK" in last and "/readyz" in last
    assert "--read-only" in text
    for name in re.findall(r"LENTIGO_SERVE_([A-Z_]+)=", last):
        assert name.lower() in Settings.model_fields


def test_the_container_reads_dicom_and_can_keep_an_audit_log_and_is_built_from_nothing_else():
    """The audit log that docs/deployment.md offers needs the extra `clinic`, as DICOM and FHIR do."""
    text = (ROOT / "deploy" / "Dockerfile").read_text()
    assert "[serve,clinic]" in text
    assert "[serve,clinic]" in (ROOT / "docs" / "deployment.md").read_text()
    copied = {part for line in re.findall(r"^COPY (?!--from)(.*) /", text, re.MULTILINE) for part in line.split()}
    ignored = (ROOT / "deploy" / "Dockerfile.dockerignore").read_text().splitlines()
    assert "*" in ignored
    assert {line[1:] for line in ignored if line.startswith("!")} == copied
    assert all((ROOT / part).exists() for part in copied)


def test_the_unit_is_hardened_and_valid(tmp_path):
    unit = ROOT / "deploy" / "lentigo.service"
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read(unit)
    service = parser["Service"]
    for name in ("NoNewPrivileges", "ProtectHome", "PrivateTmp", "PrivateDevices", "DynamicUser"):
        assert service[name] == "yes"
    assert service["ProtectSystem"] == "strict"
    assert service["CapabilityBoundingSet"] == ""
    if not shutil.which("systemd-analyze"):
        pytest.skip("needs systemd-analyze to check the unit's words")
    copy = tmp_path / "lentigo.service"
    copy.write_text(unit.read_text().replace("/opt/lentigo/bin/lentigo", "/bin/true"))
    said = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True, check=False).stderr
    assert "lentigo.service" not in said
