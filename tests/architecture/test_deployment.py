"""Django's own checks of a site that is open to the world."""

import os
import subprocess
import sys

from tests.lab.labs import ROOT


def deploy_check(**variables: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("SECRET_KEY", "SEED_SECRET"))
    }
    return subprocess.run(
        command, cwd=ROOT, env={**inherited, **variables}, capture_output=True, text=True, check=False
    )


def test_production_settings_pass_every_check_of_a_deployment() -> None:
    answer = deploy_check(
        HTTPS="1",
        ALLOWED_HOSTS="lab.example.org",
        CSRF_TRUSTED_ORIGINS="https://lab.example.org",
        PUBLIC_URL="https://lab.example.org",
        SECRET_KEY="Zq4r" + "k9Xv7Lw2Pb8Nc5Td3Hf6Jg1Ms0Ay" * 2,
        SEED_SECRET="Hf6J" + "m2Vd9Rt5Ks8Qw1Zx4Cb7Ln3Pg0Ye" * 2,
    )
    assert answer.returncode == 0, answer.stderr
    assert "System check identified no issues" in answer.stdout


def test_a_site_without_https_does_not_pass_it() -> None:
    answer = deploy_check(SECRET_KEY="Zq4r" + "k9Xv7Lw2Pb8Nc5Td3Hf6Jg1Ms0Ay" * 2)
    assert answer.returncode == 1
    assert "security.W" in answer.stderr


def test_without_a_secret_nothing_starts() -> None:
    answer = deploy_check(DATA_DIR="/nonexistent")
    assert answer.returncode != 0
    assert answer.stderr.startswith("SECRET_KEY is not set: give SECRET_KEY or SECRET_KEY_FILE")
