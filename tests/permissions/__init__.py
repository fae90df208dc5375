"""An account whose every request is authorized by IAM policies that are really evaluated, in memory."""
