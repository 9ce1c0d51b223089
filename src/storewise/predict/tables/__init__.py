"""From a table of any columns to the rows that predictors read."""
