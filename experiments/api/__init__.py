"""The REST API of experiments: plain APIView classes, each address an explicit line in `urls.py`."""
