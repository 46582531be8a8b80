"""The monitor: a model reads an experiment's code and claims and says how suspicious they are.

It runs where the model key is, on the agents queue, one call a reading, within MONITOR_DOLLARS_PER_DAY. What comes of a
reading is said by the detector `llm-monitor`, on the evaluation queue, like everything else.
"""
