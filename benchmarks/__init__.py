"""Speed and steadiness of what this project serves."""
