"""Prove the template with the real SAM CLI on a local ministack: validate, build, deploy, run, redrive and delete.

The steps are those of the README, with the commands as a person types them, in a copy of the project: `sam` finds
template.yaml and samconfig.toml there, and nothing of this machine's AWS settings. What the stack then does is looked
at from outside: messages are consumed, poison is dead-lettered, and opstool, given nothing but the stack, lists it with
the reasons, redrives it, sees it die again and purges it. Any surprise ends the proof with status 1 and the server's
log.
"""

import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml
from botocore.exceptions import BotoCoreError, ClientError

from tests.sam.commands import REGION, Commands, SurpriseError, clean_settings, require, say
from tests.sam.deployed import DeployedStack
from tests.sam.ministack import NotStartedError, log_of, ministack
from tests.servers.environments import ROOT, Environment, NoInterpreterError, find_interpreter, runtime
from tests.servers.ministack import ENVIRONMENT as MINISTACK

SAM = Environment(name=".venv-sam", pins=Path(__file__).parent / "sam-requirements.txt")
STACK, FIFO_STACK = "sqs-lambda-dlq", "sqs-lambda-dlq-fifo"
HEALTHY, POISON = 7, 3
OUTPUTS = {
    "InspectPolicyARN",
    "ProcessingDLQARN",
    "ProcessingDLQURL",
    "ProcessingQueueARN",
    "ProcessingQueueURL",
    "ProcessorFunctionARN",
    "ProcessorFunctionName",
    "ProcessorLogGroupName",
    "RedrivePolicyARN",
}
METRIC_MATH = {"DLQArrivalsAlarm", "DLQReminderAlarm"}
EXPECTED = (
    SurpriseError,
    NoInterpreterError,
    NotStartedError,
    subprocess.SubprocessError,
    BotoCoreError,
    ClientError,
)


def main() -> int:
    """Run the proof; 0 when everything held, 1 when something did not, 130 when it was interrupted."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the server is stopped then too
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="sam-proof-") as name:
        folder = Path(name)
        try:
            prove(folder)
        except EXPECTED as error:
            sys.stdout.flush()
            sys.stderr.write("\n".join(["", f"error: {error}", log_of(folder)]))
            return 1
        except KeyboardInterrupt:
            sys.stderr.write("\ninterrupted: the server is stopped\n")
            return 130
    say(f"proved in {time.monotonic() - started:.0f} s")
    return 0


def prove(folder: Path) -> None:
    """Go through the steps."""
    interpreter = find_interpreter(runtime())
    say(f"environments of SAM CLI and ministack, made with {runtime()}")
    sam, server = SAM.make_python(interpreter), MINISTACK.make_python(interpreter)
    project, settings = copy_project(folder / "project"), clean_settings(folder, sam)
    with ministack(server, folder, settings) as url:
        commands = Commands(folder=project, settings=settings | {"AWS_ENDPOINT_URL": url}, sam_program=sam / "sam")
        build(commands)
        stack = deploy(commands)
        poison = consume(stack)
        operate(commands, stack, poison)
        fifo = deploy_fifo(commands)
        delete(commands, [fifo, stack])


def copy_project(folder: Path) -> Path:
    """Copy what `sam` needs, so that a person's own .aws-sam folder is left alone."""
    folder.mkdir()
    for name in ("template.yaml", "samconfig.toml"):
        shutil.copy(ROOT / name, folder / name)
    shutil.copytree(ROOT / "consumer", folder / "consumer", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def build(commands: Commands) -> None:
    """Validate and build as anybody would."""
    commands.sam("validate", "--lint")
    commands.sam("build")
    built = commands.folder / ".aws-sam" / "build" / "ProcessorFunction"
    require((built / "app.py").is_file(), "`sam build` did not pack the consumer")
    require((built / "aws_lambda_powertools").is_dir(), "`sam build` did not pack the consumer's requirements")
    suit_ministack(built.parent / "template.yaml")


def suit_ministack(built: Path) -> None:
    """Change in what was built, and nowhere else, the two things in which ministack departs from AWS.

    It cannot create an alarm with a metric math expression, and it takes a parameter in a ScalingConfig for a string.
    """
    template = yaml.safe_load(built.read_text(encoding="utf-8"))
    resources, parameters = template["Resources"], template["Parameters"]
    unsupported = {name for name, one in resources.items() if "Metrics" in one.get("Properties", {})}
    require(unsupported == METRIC_MATH, f"the alarms with metric math are {unsupported}")
    for name in unsupported:
        del resources[name]
    messages = resources["ProcessorFunction"]["Properties"]["Events"]["Messages"]["Properties"]
    messages["ScalingConfig"] = {"MaximumConcurrency": parameters["MaximumConcurrency"]["Default"]}
    for unused in ("ReminderHourUTC", "MaximumConcurrency"):
        del parameters[unused]
    built.write_text(yaml.safe_dump(template, sort_keys=False), encoding="utf-8")


def deploy(commands: Commands) -> DeployedStack:
    """Deploy with a function timeout of one second, so that poison dies soon, and compare what is there."""
    commands.sam("deploy", "--no-confirm-changeset", "--parameter-overrides", "FunctionTimeout=1")
    stack = DeployedStack(STACK, commands.settings)
    require(stack.outputs.keys() == OUTPUTS, f"the outputs are {sorted(stack.outputs)}")
    source, dlq = stack.attributes(stack.source_url), stack.attributes(stack.dlq_url)
    require(source["VisibilityTimeout"] == "6", f"the visibility timeout is {source['VisibilityTimeout']}")
    require(dlq["MessageRetentionPeriod"] == "1209600", f"the DLQ keeps for {dlq['MessageRetentionPeriod']} s")
    policy = json.loads(source["RedrivePolicy"])
    require(policy["deadLetterTargetArn"] == dlq["QueueArn"], f"the redrive policy is {policy}")
    require(int(policy["maxReceiveCount"]) == 3, f"the redrive policy is {policy}")
    return stack


def consume(stack: DeployedStack) -> set[str]:
    """Send ten messages of which three cannot be handled, see each end where it belongs, and return the three."""
    say(f"send {HEALTHY} messages and {POISON} that the consumer rejects")
    ids = stack.send([{"Id": str(n), "MessageBody": body_of(n)} for n in range(HEALTHY + POISON)])
    healthy = {ids[str(n)] for n in range(HEALTHY)}
    poison = set(ids.values()) - healthy
    stack.wait_for_deaths(POISON)
    processed, failed = stack.logged_ids("message_processed"), stack.logged_ids("record_failed")
    require(processed.keys() == healthy, f"the log says that {sorted(processed)} were processed, not {healthy}")
    require(failed.keys() == poison, f"the log says that {sorted(failed)} failed, not {poison}")
    require(set(failed.values()) == {3}, f"the attempts at the poison are {failed}")
    return poison


def operate(commands: Commands, stack: DeployedStack, poison: set[str]) -> None:
    """Give opstool nothing but the stack, whose name it reads from samconfig.toml: list, redrive, list, purge."""
    listed = commands.opstool("dlq", "list")["messages"]
    require({one["message_id"] for one in listed} == poison, f"`dlq list` shows {listed}")
    reasons = [(one["reason"] or {}).get("type") for one in listed]
    require(reasons == ["PermanentError"] * POISON, f"`dlq list` gives the reasons {reasons}")
    report = commands.opstool("dlq", "redrive", "--yes")
    require((report["status"], report["succeeded"]) == ("done", POISON), f"`dlq redrive` reports {report}")
    stack.wait_for_deaths(POISON)
    again = {one["message_id"] for one in commands.opstool("dlq", "list")["messages"]}
    require(len(again) == POISON, f"after the redrive `dlq list` shows {again}")
    require(not again & poison, "a redriven message kept its id")
    report = commands.opstool("dlq", "purge", "--confirm", stack.dlq_url.rsplit("/", 1)[1])
    require((report["status"], report["succeeded"]) == ("done", POISON), f"`dlq purge` reports {report}")
    require(stack.depth(stack.dlq_url) == 0, "the DLQ is not empty after `dlq purge`")


def deploy_fifo(commands: Commands) -> DeployedStack:
    """Deploy the same build as FIFO, under another name, and see a message of each kind end where it belongs."""
    overrides = ["FunctionTimeout=1", "Fifo=true", "RetryPacing=on", "MaxReceiveCount=2"]
    commands.sam(
        "deploy", "--no-confirm-changeset", "--stack-name", FIFO_STACK, "--parameter-overrides", " ".join(overrides)
    )
    stack = DeployedStack(FIFO_STACK, commands.settings)
    for url in (stack.source_url, stack.dlq_url):
        require(url.endswith(".fifo"), f"the queue is {url}")
        require(stack.attributes(url).get("FifoQueue") == "true", f"{url} is not a FIFO queue")
    bodies = {"healthy": body_of(0), "poison": body_of(HEALTHY)}
    own = ("Id", "MessageGroupId", "MessageDeduplicationId")
    ids = stack.send([{"MessageBody": body} | dict.fromkeys(own, name) for name, body in bodies.items()])
    stack.wait_for_deaths(1)
    require(stack.logged_ids("message_processed").keys() == {ids["healthy"]}, "the healthy message was not processed")
    require(stack.logged_ids("record_failed").keys() == {ids["poison"]}, "the poison did not fail")
    return stack


def delete(commands: Commands, stacks: list[DeployedStack]) -> None:
    """Delete the stacks, and see that a dead-letter queue outlives its stack."""
    for stack in stacks:
        commands.sam("delete", "--no-prompts", "--stack-name", stack.name, "--region", REGION)
        require(not stack.exists(), f"{stack.name} is still there")
        require(stack.attributes(stack.dlq_url), "the DLQ went with its stack")


def body_of(number: int) -> str:
    """Return the body of a message: one that the consumer handles, or, past the healthy ones, one that it rejects."""
    return json.dumps({"message": f"Test message-{number}"} if number < HEALTHY else {"poison": number})


if __name__ == "__main__":
    sys.exit(main())
