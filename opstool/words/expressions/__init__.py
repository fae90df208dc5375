"""What people ask in JMESPath: parsed by jmespath, checked, compiled once, and run within a budget."""
