"""The caller's own permissions: the resources that the verbs touch, and whether each action on them is allowed."""
