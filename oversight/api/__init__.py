"""The REST API of oversight: plain APIView classes, each address an explicit line in `api_urls.py`."""
