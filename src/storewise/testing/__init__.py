"""Contract suites that every component of a kind passes; plug-in authors run them too."""
