"""What tests of the lab may ask for."""

import os
import pwd
import traceback

import pytest


@pytest.fixture
def as_nobody():
    """Calls a function as an account that owns nothing; as an ordinary user, as ourselves.

    In a forked child, because there is no way back from another account.
    """

    def call(function) -> None:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                if os.geteuid() == 0:
                    account = pwd.getpwnam("nobody")
                    os.setgroups([])
                    os.setgid(account.pw_gid)
                    os.setuid(account.pw_uid)
                function()
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, "see stderr"

    return call
