"""The clients of Eclipse's MQTT test suite against a broker: says how each test ended, one JSON object a line.

Run by `cargo xtask conformance`, in the suite's folder `interoperability`: SCRIPT PORT USER PASSWORD [TEST].
What the suite itself prints goes to stderr. Its clients come without a login; those of the tests in `WITH_LOGIN` get
one, because they need a broker that refuses something. The suite's files stay as they are.
"""

import contextlib
import io
import json
import os
import runpy
import signal
import sys
import time
import unittest

SCRIPT, PORT, USER, PASSWORD, *ONLY = sys.argv[1:]
WITH_LOGIN = ["test_subscribe_failure"]
# The slowest test waits 30 s. Some wait for ever for a message that does not come.
TEST_S_MAX = 90
# As long as the suite's clients wait for an ack.
ANSWER_S_MAX = 4

results = sys.stdout


class Result(unittest.TestResult):
    """Says each outcome at once."""

    current = None

    def startTest(self, test):
        super().startTest(test)
        self.current, self.failed, self.said = name(test), False, io.StringIO()
        self.redirected = contextlib.redirect_stderr(self.said)
        self.redirected.__enter__()
        signal.alarm(TEST_S_MAX)

    def stopTest(self, test):
        signal.alarm(0)
        self.redirected.__exit__(None, None, None)
        sys.stderr.write(self.said.getvalue())
        if not self.failed:
            say(test, "pass")
        self.current = None
        super().stopTest(test)

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.failed = True
        say(test, "fail", why(error, self.said.getvalue() if self.current else ""))

    # What comes before the first test is no test's.
    addError = addFailure


def why(error, said):
    """What was wrong, in a line. Many tests catch it, print it and say only that they failed."""
    text = f"{error[0].__name__}: {error[1]}"
    caught = [line for line in said.splitlines() if line[:1].isalpha() and not line.startswith("Traceback")]
    if "False != True" in text and caught:
        text = caught[-1]
    return text.splitlines()[0]


def say(test, outcome, why=""):
    print(json.dumps({"test": name(test), "outcome": outcome, "why": why}), file=results, flush=True)


def name(test):
    return test.id().rsplit(".", 1)[-1]


def run():
    """Stands for `unittest.main`, which the suite's script calls once it has set what its tests read."""
    module, result = sys.modules["__main__"], Result()
    change(module.mqtt_client.Client, result)
    suite = unittest.TestLoader().loadTestsFromTestCase(module.Test)
    unittest.TestSuite(test for test in suite if not ONLY or name(test) in ONLY).run(result)


def change(client, result):
    """What the suite's clients do otherwise than they would."""
    connect, disconnect = client.connect, client.disconnect

    def connect_with_login(self, *words, **named):
        if result.current in WITH_LOGIN:
            named.update(username=USER, password=PASSWORD.encode())
        return connect(self, *words, **named)

    def disconnect_once_answered(self, *words, **named):
        # They stop reading first, and then wait in vain for acks that are on their way.
        receiver, end = self._Client__receiver, time.monotonic() + ANSWER_S_MAX
        while receiver and receiver.running and not receiver.paused and time.monotonic() < end:
            if not receiver.inMsgs and not receiver.outMsgs:
                break
            time.sleep(0.01)
        return disconnect(self, *words, **named)

    client.connect, client.disconnect = connect_with_login, disconnect_once_answered


def too_long(*_):
    raise TimeoutError(f"not done after {TEST_S_MAX} s")


if __name__ == "__main__":
    signal.signal(signal.SIGALRM, too_long)
    unittest.main = run
    sys.path.insert(0, os.getcwd())
    sys.stdout = sys.stderr
    sys.argv = [SCRIPT, "--hostname", "127.0.0.1", "--port", PORT]
    runpy.run_path(SCRIPT, run_name="__main__")
