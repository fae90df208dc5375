"""The doctor on the command line: what a person reads, what a script gets, and the script that mends."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from opstool.cli.fixing import Paste
from opstool.cli.globals import Globals
from opstool.doors.sqs import Sqs
from opstool.doors.stack import Stack
from opstool.doors.toolkit import Toolkit
from opstool.words.queue import Queue
from tests.cli.test_documents import CHECK, DOCTOR
from tests.cli.test_golden import check
from tests.cli.world import Ended, World
from tests.hostile.harmless import assert_visible
from tests.patient import Patient, alarm, arn_of, healthy


@pytest.fixture
def patient(world: World) -> Patient:
    """Let the commands of the world meet the healthy account."""
    made = healthy(world.state_dir)
    made.denied.add("sts:GetCallerIdentity")

    def lend(kit: Toolkit) -> None:
        kit.sqs, kit.clock, kit.ask = Sqs(made.sqs, made.clock), made.clock, made.ask
        kit.stack = Stack(made.ask, "orders-stack")

    world.on_connect = lend
    return made


def _spoil(patient: Patient) -> None:
    """Give the account faults of several kinds."""
    patient.set("orders-dlq", MessageRetentionPeriod="345600", Policy="")
    patient.mapping.update(
        FunctionResponseTypes=[], FilterCriteria={"Filters": [{"Pattern": '{"body":{"kind":["a"]}}'}]}
    )
    patient.alarms[:] = [alarm("orders-dlq-sent", "NumberOfMessagesSent")]


def _steady(ended: Ended) -> Ended:
    """Return the output without the progress of a terminal."""
    return Ended(ended.status, ended.out, ended.err.split("\r\x1b[K")[-1])


@pytest.fixture
def without_permissions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the caller's permissions out: their words have tests of their own."""
    monkeypatch.setattr("opstool.verbs.doctor.examine_access", lambda *_: ())


@pytest.mark.usefixtures("without_permissions")
@pytest.mark.parametrize("columns", [80, 160])
def test_what_failed_is_shown_first(world: World, patient: Patient, columns: int) -> None:
    """Found, wanted, why and the fix of each failure; then what is open, what is asked, and a sum."""
    _spoil(patient)
    patient.denied.add("logs:DescribeLogGroups")
    check(f"doctor-{columns}", world, _steady(world.run("doctor", terminal=True, columns=columns)))


@pytest.mark.usefixtures("without_permissions")
def test_the_script_that_mends(world: World, patient: Patient) -> None:
    """Commands to paste, template lines as comments, and the rest on stderr."""
    _spoil(patient)
    check("doctor-fix", world, world.run("--profile", "it's mine", "doctor", "orders", "--fix"))


def test_the_status_says_whether_a_check_failed(world: World, patient: Patient) -> None:
    """What is open does not fail."""
    patient.broken.add("logs:DescribeLogGroups")
    ended = world.run("doctor")
    assert (ended.status, "unknown log_retention_short" in ended.out) == (0, True)
    patient.set("orders", SqsManagedSseEnabled="false")
    assert world.run("doctor").status == 3
    assert world.run("doctor", "--fix").status == 3


def test_passes_are_summed_up_unless_asked_for(world: World, patient: Patient) -> None:
    """A healthy queue takes a few lines; -v lists every check."""
    plain = world.run("doctor").out
    assert "passed " not in plain.rsplit("\n", 2)[0]
    assert re.search(r" \d\d passed", plain.splitlines()[-1])
    assert "passed  dlq_retention_short: orders-dlq" in world.run("-v", "doctor").out


def test_a_missing_permission_is_said_once(world: World, patient: Patient) -> None:
    """However many checks need it."""
    patient.denied.add("lambda:ListEventSourceMappings")
    out = world.run("doctor").out
    assert out.count("`lambda:ListEventSourceMappings` is not allowed") == 1
    assert "unknown consumer_missing, consumer_disabled" in out


def test_permissions_that_are_unknown_for_one_reason_are_one_finding(world: World, patient: Patient) -> None:
    """The reason stands there once; -v names the actions."""
    patient.broken.add("iam:SimulatePrincipalPolicy")
    lines = world.run("doctor").out.splitlines()
    [place] = [place for place, line in enumerate(lines) if line.startswith("unknown permission_")]
    assert "permission_list, permission_reasons, permission_redrive" in lines[place]
    assert lines[place + 1].endswith("; -v names the actions")
    assert "sqs:DeleteMessage on" in world.run("-v", "doctor").out


def test_one_document_holds_the_checks(world: World, patient: Patient) -> None:
    """With json the checks are nested; the counts are theirs."""
    _spoil(patient)
    document = world.run("doctor", "orders", "--output", "json").document
    assert set(document) == DOCTOR | {"checks"}
    assert (document["type"], document["queue"], document["followed_from"]) == ("doctor", "orders-dlq", "orders")
    assert {frozenset(each) for each in document["checks"]} == {frozenset(CHECK)}
    counted = {each["status"] for each in document["checks"]}
    assert {status for status, number in document["counts"].items() if number} == counted
    assert sum(document["counts"].values()) == len(document["checks"])


def test_lines_are_checks_and_then_the_report(world: World, patient: Patient) -> None:
    """With jsonl each check is a line, and the last line sums up."""
    *checks, report = world.run("doctor", "--output", "jsonl").lines
    assert {frozenset(each) for each in checks} == {frozenset(CHECK)}
    assert (set(report), report["type"]) == (DOCTOR, "doctor")


def test_a_source_queue_is_followed_and_said(world: World, patient: Patient) -> None:
    """The note is on stderr."""
    assert '"orders" is a source queue; examined "orders-dlq"' in world.run("doctor", "orders").err


HOSTILE = "depth\x1b[2J\n$(touch owned) `touch owned` ; touch owned\n#"


def test_a_name_cannot_break_out_of_the_script(world: World, patient: Patient, tmp_path: Path) -> None:
    """What a terminal would not show is no command; what a shell would act on is quoted; nobody forges a line."""
    patient.alarms[:] = [
        alarm(HOSTILE, ActionsEnabled=False),
        alarm("$(touch owned) 'x' `touch owned`", ActionsEnabled=False),
    ]
    patient.mapping.update(FilterCriteria={"Filters": [{"Pattern": HOSTILE}]})
    for arguments in (["doctor"], ["doctor", "--fix"], ["-v", "doctor"]):
        ended = world.run(*arguments)
        assert_visible(ended.out)
        assert_visible(ended.err)
    lines = world.run("doctor", "--fix").out.splitlines()
    commands = [line for line in lines if line and not line.startswith("#")]
    assert len(commands) == 1
    echoed = commands[0].replace("aws ", "printf '%s\\n' ", 1)
    done = subprocess.run(["/bin/sh", "-c", echoed], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.splitlines()[-1] == "$(touch owned) 'x' `touch owned`"
    assert not (tmp_path / "owned").exists()


def test_every_command_is_one_for_a_shell(world: World, patient: Patient) -> None:
    """Each line of the script that is no comment begins with aws, in this region, and can be split."""
    _spoil(patient)
    out = world.run("doctor", "--fix").out
    commands = [shlex.split(line) for line in out.splitlines() if line and not line.startswith("#")]
    assert commands
    assert {tuple(each[:3]) for each in commands} == {("aws", "--region", "us-east-1")}


def test_the_commands_mend_what_they_are_for(world: World, patient: Patient) -> None:
    """Carried out on the account, the SQS commands leave none of their faults."""
    patient.set("orders-dlq", MessageRetentionPeriod="345600", Policy='{"Statement": []}', SqsManagedSseEnabled="false")
    patient.set("orders-dlq", RedriveAllowPolicy="")
    patient.make_queue("further")
    patient.set("orders", VisibilityTimeout="1")
    patient.set("orders-dlq", RedrivePolicy={"deadLetterTargetArn": arn_of("further"), "maxReceiveCount": 2})
    out = world.run("doctor", "--fix").out
    for words in (shlex.split(line) for line in out.splitlines() if line and not line.startswith("#")):
        assert words[3:6] == ["sqs", "set-queue-attributes", "--queue-url"]
        name, attributes = words[6].rsplit("/", 1)[-1], words[8]
        patient.set(name, **json.loads(attributes))
    assert world.run("doctor").status == 0


def test_the_embedded_aws_gets_no_credentials_of_the_user(world: World) -> None:
    """With --local the commands carry made-up credentials and the address, and no profile."""
    queue = Queue(url="http://127.0.0.1:1/q", arn=arn_of("q"))
    paste = Paste(Globals(local=True, profile="mine"), queue, program="opstool", endpoint_url="http://127.0.0.1:1")
    words = shlex.split(paste.line(("aws", "sqs", "list-queues")))
    assert words == [
        "AWS_ACCESS_KEY_ID=local",
        "AWS_SECRET_ACCESS_KEY=local",
        "AWS_SESSION_TOKEN=local",
        *("aws", "--region", "us-east-1", "--endpoint-url", "http://127.0.0.1:1", "sqs", "list-queues"),
    ]


def test_the_hint_can_be_pasted(world: World, patient: Patient) -> None:
    """It names the queue that was examined, with the options that choose the AWS."""
    _spoil(patient)
    hint = world.run("--region", "eu-west-1", "doctor").err.split("hint: ")[1]
    assert hint.startswith("opstool --region eu-west-1 ")
    assert " doctor orders-dlq --fix" in hint
