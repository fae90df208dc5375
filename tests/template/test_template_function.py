"""What the translated template promises about the function, its role and its event source mapping."""

import pytest

CONSUME = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]


def test_function_runs_the_consumer_on_arm(source, resources) -> None:
    """The function is the handler in consumer/, on the cheaper processor."""
    assert source["Resources"]["ProcessorFunction"]["Properties"]["CodeUri"] == "consumer/"
    function = resources()["ProcessorFunction"]
    assert function["Handler"] == "app.lambda_handler"
    assert function["Architectures"] == ["arm64"]


def test_function_logs_json_into_its_own_log_group(resources) -> None:
    """The log group is the stack's, so that its retention holds and opstool can find the reasons in it."""
    deployed = resources(LogRetentionDays="90")
    logging = deployed["ProcessorFunction"]["LoggingConfig"]
    assert (logging["LogFormat"], logging["LogGroup"]) == ("JSON", "ref:ProcessorLogGroup")
    assert (logging["ApplicationLogLevel"], logging["SystemLogLevel"]) == ("INFO", "INFO")
    assert deployed["ProcessorLogGroup"]["RetentionInDays"] == "90"
    assert resources()["ProcessorLogGroup"]["RetentionInDays"] == "30"


def test_reasons_are_kept_for_longer_than_dead_messages(resources) -> None:
    """As deployed by default, the log still knows why the oldest message of the dead-letter queue died."""
    deployed = resources()
    retention_s = int(deployed["ProcessorLogGroup"]["RetentionInDays"]) * 86_400
    assert retention_s > deployed["ProcessingDLQ"]["MessageRetentionPeriod"]


def test_function_has_no_dead_letter_queue_of_its_own(translated) -> None:
    """A function's own dead-letter queue has no effect on SQS invocations and would only mislead."""
    assert "DeadLetterConfig" not in translated["Resources"]["ProcessorFunction"]["Properties"]


@pytest.mark.parametrize("pacing", ["on", "off"])
def test_function_is_told_about_retry_pacing(resources, pacing) -> None:
    """The parameter reaches the consumer, beside the names under which it logs and counts."""
    environment = resources(RetryPacing=pacing)["ProcessorFunction"]["Environment"]["Variables"]
    assert environment == {
        "POWERTOOLS_SERVICE_NAME": "orders",
        "POWERTOOLS_METRICS_NAMESPACE": "SqsLambdaDlq",
        "RETRY_PACING": pacing,
    }


def test_mapping_deletes_only_what_the_function_handled(resources) -> None:
    """Without ReportBatchItemFailures a normal return deletes the failed messages too."""
    mapping = resources()["ProcessorFunctionMessages"]
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["EventSourceArn"] == "ProcessingQueue.Arn"
    assert mapping["FunctionName"] == "ref:ProcessorFunction"


def test_mapping_does_not_filter(resources) -> None:
    """What a filter of the mapping does not match is deleted, not dead-lettered."""
    assert "FilterCriteria" not in resources()["ProcessorFunctionMessages"]


def test_no_batch_size_needs_a_window(translated, resources) -> None:
    """More than ten need a batching window, which FIFO queues do not have: neither can be asked for."""
    bounds = translated["Parameters"]["BatchSize"]
    assert (bounds["MinValue"], bounds["MaxValue"], bounds["Default"]) == (1, 10, 10)
    for fifo in ("true", "false"):
        assert "MaximumBatchingWindowInSeconds" not in resources(Fifo=fifo)["ProcessorFunctionMessages"]


def test_concurrency_is_bounded_by_the_mapping(translated, resources) -> None:
    """The queue waits for the function rather than being throttled, within the bounds that Lambda has."""
    mapping = resources(MaximumConcurrency="2")["ProcessorFunctionMessages"]
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": "2"}
    assert "ProvisionedPollerConfig" not in mapping
    bounds = translated["Parameters"]["MaximumConcurrency"]
    assert (bounds["MinValue"], bounds["MaxValue"]) == (2, 1000)


@pytest.mark.parametrize(
    ("pacing", "expected"),
    [("off", CONSUME), ("on", [*CONSUME, "sqs:ChangeMessageVisibility"])],
)
def test_role_may_do_what_the_consumer_does_and_no_more(resources, pacing, expected) -> None:
    """The function reaches its own queue and its own log; visibility only when it paces retries."""
    role = resources(RetryPacing=pacing)["ProcessorRole"]
    assert "ManagedPolicyArns" not in role
    statements = [one for policy in role["Policies"] for one in policy["PolicyDocument"]["Statement"]]
    assert statements == [
        {"Effect": "Allow", "Action": expected, "Resource": "ProcessingQueue.Arn"},
        {
            "Effect": "Allow",
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": "ProcessorLogGroup.Arn",
        },
    ]


def test_role_is_lambdas_alone(resources) -> None:
    """Nobody but Lambda may take the function's role."""
    (trust,) = resources()["ProcessorRole"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "lambda.amazonaws.com"}
    assert trust["Action"] == "sts:AssumeRole"
