"""What CloudFormation makes in AWS and moto's does not is there all the same, for whoever describes it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from opstool.local import LocalAws, start

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Period: {Type: Number, Default: 60}
  Wanted: {Type: String, Default: 'no'}
Conditions:
  IsWanted: !Equals [!Ref Wanted, 'yes']
Resources:
  Orders: {Type: AWS::SQS::Queue, Properties: {VisibilityTimeout: 60}}
  Policy:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref Orders]
      PolicyDocument:
        Version: "2012-10-17"
        Statement: [{Effect: Deny, Principal: "*", Action: "sqs:*", Resource: !GetAtt Orders.Arn}]
  Deep:
    Type: AWS::CloudWatch::Alarm
    Properties:
      AlarmName: deep
      ActionsEnabled: "false"
      Metrics:
        - {Id: all, Expression: visible + 1, ReturnData: "true"}
        - Id: visible
          ReturnData: "false"
          MetricStat:
            Metric:
              Namespace: AWS/SQS
              MetricName: M
              Dimensions: [{Name: QueueName, Value: !GetAtt Orders.QueueName}]
            Period: !Ref Period
            Stat: Maximum
      EvaluationPeriods: "2"
      Threshold: "5"
      ComparisonOperator: GreaterThanThreshold
      TreatMissingData: breaching
      AlarmActions: !If [IsWanted, [topic], !Ref AWS::NoValue]
  Unwanted:
    Type: AWS::CloudWatch::Alarm
    Condition: IsWanted
    Properties: {AlarmName: unwanted, ComparisonOperator: GreaterThanThreshold, EvaluationPeriods: 1}
  Refused:
    Type: AWS::CloudWatch::Alarm
    Properties: {Nonsense: 1, ComparisonOperator: GreaterThanThreshold, EvaluationPeriods: 1}
  Worker:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: "def handler(event, context): pass"
      Handler: index.handler
      Runtime: python3.13
      AutoPublishAlias: live
      LoggingConfig: {LogFormat: JSON, LogGroup: workers}
      Events: {In: {Type: SQS, Properties: {Queue: !GetAtt Orders.Arn, Enabled: false}}}
Outputs:
  OrdersURL: {Value: !Ref Orders}
  OrdersArn: {Value: !GetAtt Orders.Arn}
"""


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    """Deploy the template once."""
    template = tmp_path_factory.mktemp("beside") / "template.yaml"
    template.write_text(TEMPLATE)
    with start(template, stack_name="beside") as local:
        yield local


def test_an_alarm_is_described_as_it_is_declared(local: LocalAws) -> None:
    """Metric math, numbers that stood there as texts, and references included; it is never evaluated."""
    (alarm,) = local.settings.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert (alarm["AlarmName"], alarm["ActionsEnabled"], alarm["AlarmActions"]) == ("deep", False, [])
    assert (alarm["EvaluationPeriods"], alarm["Threshold"], alarm["TreatMissingData"]) == (2, 5.0, "breaching")
    math, visible = alarm["Metrics"]
    assert (math["Expression"], math["ReturnData"], visible["ReturnData"]) == ("visible + 1", True, False)
    name = local.outputs["OrdersURL"].rsplit("/", 1)[1]
    assert visible["MetricStat"]["Period"] == 60
    assert visible["MetricStat"]["Metric"]["Dimensions"] == [{"Name": "QueueName", "Value": name}]


def test_what_the_emulator_refuses_is_said(local: LocalAws) -> None:
    """The stack works without it."""
    assert "Refused: the emulator refused it (ParamValidationError)" in local.unsupported
    assert "alarms are not evaluated" in local.unsupported


def test_a_queue_has_the_policy_of_the_template(local: LocalAws) -> None:
    """It is not enforced, and readable."""
    answer = local.settings.client("sqs").get_queue_attributes(
        QueueUrl=local.outputs["OrdersURL"], AttributeNames=["Policy"]
    )
    (statement,) = json.loads(answer["Attributes"]["Policy"])["Statement"]
    assert (statement["Effect"], statement["Resource"]) == ("Deny", local.outputs["OrdersArn"])


def test_a_mapping_on_an_alias_names_the_alias(local: LocalAws) -> None:
    """What it names can be asked for, and says where it logs."""
    functions = local.settings.client("lambda")
    (mapping,) = functions.list_event_source_mappings(EventSourceArn=local.outputs["OrdersArn"])["EventSourceMappings"]
    assert mapping["FunctionArn"].endswith(":live")
    assert mapping["State"] in ("Disabling", "Disabled")
    found = functions.get_function_configuration(FunctionName=mapping["FunctionArn"])
    assert (found["Version"], found["LoggingConfig"]["LogGroup"]) == ("1", "workers")
    assert "versions and aliases stand for the function itself" in local.unsupported
