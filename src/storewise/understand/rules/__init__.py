"""Logic rules of a shop: small, declarative, checked for contradictions, evaluated over all candidates at once."""

from storewise.understand.rules.check import Finding, check_rules
from storewise.understand.rules.evaluate import CompiledRules, Past, Verdict
from storewise.understand.rules.facts import ProductFacts
from storewise.understand.rules.say import say
from storewise.understand.rules.spec import Rule, RuleFile, RuleSpec, parse_rules, read_rules

__all__ = [
    "CompiledRules",
    "Finding",
    "Past",
    "ProductFacts",
    "Rule",
    "RuleFile",
    "RuleSpec",
    "Verdict",
    "check_rules",
    "parse_rules",
    "read_rules",
    "say",
]
