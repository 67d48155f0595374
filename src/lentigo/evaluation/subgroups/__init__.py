"""Fairness: the same metrics by sex, age, site, source and estimated skin tone."""
