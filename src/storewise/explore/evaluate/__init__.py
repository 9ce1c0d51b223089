"""What logged decisions say of another policy: estimators, their intervals, and whether the log can say anything."""
