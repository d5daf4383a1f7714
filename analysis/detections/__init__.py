"""Threat detection over streams of security events: pure, in event time, with state that can be stored."""
