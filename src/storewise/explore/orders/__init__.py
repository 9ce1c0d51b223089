"""Exact distributions over slates: what is the probability of this arm at this place, and of this slate?"""
