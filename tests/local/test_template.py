"""Anybody's SAM template: what of it runs, and what is said about the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from opstool.local.client import ClientSettings
from opstool.local.template import Translated, translate
from opstool.words.errors import NotFoundError, UsageError

SETTINGS = ClientSettings(endpoint_url="http://127.0.0.1:1", region="eu-west-1")
FUNCTION = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Fn:
    Type: AWS::Serverless::Function
    Properties:
      Handler: app.handler
      Runtime: python3.13
"""


def translated(tmp_path: Path, text: str, **parameters: str) -> Translated:
    """Translate a template with this text."""
    path = tmp_path / "template.yaml"
    path.write_text(text)
    return translate(path, parameters=parameters, settings=SETTINGS)


def test_code_is_found_where_the_template_says(tmp_path: Path) -> None:
    """CodeUri is relative to the template, may come from Globals, and is the folder itself when left out."""
    assert translated(tmp_path, FUNCTION).code["Fn"].directory == tmp_path
    own = FUNCTION + "      CodeUri: src/\n"
    assert translated(tmp_path, own).code["Fn"].directory == tmp_path / "src"
    everywhere = FUNCTION + "Globals: {Function: {CodeUri: shared}}\n"
    assert translated(tmp_path, everywhere).code["Fn"].directory == tmp_path / "shared"


def test_code_that_is_not_on_this_machine_is_not_looked_for(tmp_path: Path) -> None:
    """An S3 address is no folder; inline code is text."""
    assert translated(tmp_path, FUNCTION + "      CodeUri: s3://bucket/key\n").code["Fn"].directory is None
    assert translated(tmp_path, FUNCTION + "      InlineCode: x = 1\n").code["Fn"].inline == "x = 1"


@pytest.mark.parametrize(
    ("more", "note"),
    [
        ("      Layers: ['arn:aws:lambda:eu-west-1:1:layer:l:1']\n", "Fn: its layers are not loaded"),
        (
            "      VpcConfig: {SecurityGroupIds: [sg-1], SubnetIds: [subnet-1]}\n",
            "Fn: it runs on this machine, outside any VPC",
        ),
        ("      AutoPublishAlias: live\n", "versions and aliases stand for the function itself"),
        ("  X: {Type: 'AWS::Fancy::Thing'}\n", "X: resources of type AWS::Fancy::Thing are not created"),
        ("  X: {Type: 'Custom::Thing'}\n", "X: resources of type Custom::Thing are not created"),
    ],
)
def test_what_is_not_supported_is_said(tmp_path: Path, more: str, note: str) -> None:
    """Each thing that is left out has its sentence."""
    assert note in translated(tmp_path, FUNCTION + more).notes


def test_references_to_what_is_left_out_do_not_break_the_template(tmp_path: Path) -> None:
    """Ref, GetAtt, Sub and DependsOn of a resource that is not created get something in its place."""
    text = (
        FUNCTION
        + """      Environment:
        Variables:
          A: !Ref X
          B: !GetAtt X.Arn
          C: !Sub "${X.Arn}/${AWS::Region}/${!Literal}"
  X: {Type: AWS::Fancy::Thing}
  Q: {Type: AWS::SQS::Queue, DependsOn: X}
Outputs:
  O: {Value: !GetAtt X.Name}
"""
    )
    done = translated(tmp_path, text)
    variables = done.template["Resources"]["Fn"]["Properties"]["Environment"]["Variables"]
    placeholder = "not-in-the-embedded-aws-X"
    assert variables["A"] == variables["B"] == placeholder
    assert variables["C"] == {"Fn::Sub": f"{placeholder}/${{AWS::Region}}/${{!Literal}}"}
    assert "DependsOn" not in done.template["Resources"]["Q"]
    assert done.template["Outputs"]["O"]["Value"] == placeholder


def test_an_alias_stands_for_its_function(tmp_path: Path) -> None:
    """A mapping of an alias feeds the function."""
    text = FUNCTION + (
        "      AutoPublishAlias: live\n"
        "      Events: {M: {Type: SQS, Properties: {Queue: 'arn:aws:sqs:eu-west-1:123456789012:q'}}}\n"
    )
    (mapping,) = translated(tmp_path, text).mappings.values()
    assert mapping["FunctionName"] == {"Ref": "Fn"}


PARAMETERS = FUNCTION + "Parameters: {P: {Type: String, AllowedValues: [a, 1]}}\n"


@pytest.mark.parametrize(
    ("text", "parameters", "error"),
    [
        ("a: [", {}, "not YAML"),
        ("just text", {}, "no Resources"),
        (FUNCTION, {"Unknown": "1"}, "no parameter `Unknown`"),
        (PARAMETERS, {}, "wants a value for P"),
        (PARAMETERS, {"P": "b"}, "cannot be `b`"),
        (FUNCTION.replace("Handler: app.handler", "Nonsense: 1"), {}, "not valid SAM"),
    ],
)
def test_a_wrong_template_is_a_clear_error(tmp_path: Path, text: str, parameters: dict[str, Any], error: str) -> None:
    """The error says what is wrong before anything runs."""
    with pytest.raises(UsageError, match=error):
        translated(tmp_path, text, **parameters)


def test_a_template_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    """The error names the file."""
    with pytest.raises(NotFoundError, match=r"nothing\.yaml"):
        translate(tmp_path / "nothing.yaml", parameters={}, settings=SETTINGS)
