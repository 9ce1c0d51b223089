"""Small worlds whose truth is known, in which policies and estimators are tried."""
