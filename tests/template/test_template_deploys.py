"""That the template can be deployed: lint, dependencies, outputs and the settings of SAM CLI."""

import json
import re
import subprocess
import sys
import tomllib
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
OUTPUTS = [
    "InspectPolicyARN",
    "ProcessingDLQARN",
    "ProcessingDLQURL",
    "ProcessingQueueARN",
    "ProcessingQueueURL",
    "ProcessorFunctionARN",
    "ProcessorFunctionName",
    "ProcessorLogGroupName",
    "RedrivePolicyARN",
]


def lint(path: Path) -> tuple[int, str]:
    """Run cfn-lint with every rule it has, hints included."""
    command = [sys.executable, "-c", "from cfnlint.runner import main; main()", "--include-checks", "I"]
    command += ["--non-zero-exit-code", "informational", "--format", "parseable", "--template", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=ROOT)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def translation(translated, tmp_path) -> Path:
    """Write the translated template to a file."""
    path: Path = tmp_path / "translated.json"
    path.write_text(json.dumps(translated, indent=1), encoding="utf-8")
    return path


def references(node: Any) -> set[str]:
    """Return the names that a node refers to, in whatever function."""
    if isinstance(node, list):
        return set().union(*map(references, node))
    if not isinstance(node, dict):
        return set()
    found = set().union(*map(references, node.values()))
    match node:
        case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), *_]}:
            return {name}
        case {"Fn::Sub": str(text)}:
            return {name.split(".")[0] for name in re.findall(r"\$\{([^}]+)\}", text)}
    return found


def test_source_passes_cfn_lint() -> None:
    """The template as written has no error, no warning and no hint, with no rule ignored."""
    assert lint(ROOT / "template.yaml") == (0, "")


def test_translation_passes_cfn_lint(translation) -> None:
    """So has what CloudFormation is given, of which cfn-lint checks much more."""
    assert lint(translation) == (0, "")


def test_lint_of_the_translation_knows_the_runtimes(translation) -> None:
    """A runtime that does not exist passes the lint of the source, so the other one must catch it."""
    translation.write_text(
        translation.read_text(encoding="utf-8").replace("python3.13", "python3.99"), encoding="utf-8"
    )
    status, said = lint(translation)
    assert status != 0
    assert "python3.99" in said


def test_no_rule_of_cfn_lint_is_ignored(source, translated) -> None:
    """Nothing in the template silences the linter."""
    for template in (source, translated):
        assert "cfn-lint" not in json.dumps(template, default=str)


def test_resources_can_be_created_in_some_order(translated) -> None:
    """The two queues, which name each other, do not wait for each other."""
    resources = translated["Resources"]
    graph = {
        name: (references(one) | set(one.get("DependsOn", []))) & resources.keys() for name, one in resources.items()
    }
    order = list(TopologicalSorter(graph).static_order())
    assert order.index("ProcessingDLQ") < order.index("ProcessingQueue")


def test_every_parameter_is_used_and_described(translated) -> None:
    """`sam deploy --guided` asks for nothing that has no effect."""
    used = references(translated["Resources"]) | references(translated["Conditions"])
    for name, parameter in translated["Parameters"].items():
        assert name in used
        assert parameter["Description"].endswith(".")
        assert "Default" in parameter


def test_outputs_are_present_and_described(translated) -> None:
    """Scripts and opstool find the stack's parts by these names."""
    assert sorted(translated["Outputs"]) == OUTPUTS
    assert all(output["Description"] for output in translated["Outputs"].values())


def test_outputs_name_what_they_say(translated) -> None:
    """An ARN is an ARN and a URL a URL, of the resource that the output is called after."""
    values = {name: output["Value"] for name, output in translated["Outputs"].items()}
    assert values == {
        "InspectPolicyARN": {"Ref": "OperatorInspectPolicy"},
        "ProcessingDLQARN": {"Fn::GetAtt": ["ProcessingDLQ", "Arn"]},
        "ProcessingDLQURL": {"Ref": "ProcessingDLQ"},
        "ProcessingQueueARN": {"Fn::GetAtt": ["ProcessingQueue", "Arn"]},
        "ProcessingQueueURL": {"Ref": "ProcessingQueue"},
        "ProcessorFunctionARN": {"Fn::GetAtt": ["ProcessorFunction", "Arn"]},
        "ProcessorFunctionName": {"Ref": "ProcessorFunction"},
        "ProcessorLogGroupName": {"Ref": "ProcessorLogGroup"},
        "RedrivePolicyARN": {"Ref": "OperatorRedrivePolicy"},
    }


def test_samconfig_lets_plain_sam_deploy_work() -> None:
    """Stack name, bucket and capabilities are settled; opstool reads the stack's name from here."""
    config = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))["default"]
    assert config["global"]["parameters"]["stack_name"] == "sqs-lambda-dlq"
    deploy = config["deploy"]["parameters"]
    assert deploy["capabilities"] == "CAPABILITY_IAM"
    assert deploy["resolve_s3"] is True


def test_template_suits_the_narrowest_emulator(translated) -> None:
    """No list has an AWS::NoValue among its members: moto, unlike AWS, keeps it there as an empty one."""

    def members(node: Any) -> list[Any]:
        children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else []
        own = node if isinstance(node, list) else []
        return [*own, *(one for child in children for one in members(child))]

    resources = json.loads(json.dumps(translated["Resources"]))
    lists = [one for one in members(resources) if isinstance(one, dict) and "Fn::If" in one]
    assert all({"Ref": "AWS::NoValue"} not in one["Fn::If"] for one in lists)
