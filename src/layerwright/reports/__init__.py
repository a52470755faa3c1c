"""Findings for people and programs: text, SARIF, HTML. Pure: findings in, text out."""
