"""Command line: each verb is one call of a public function."""
