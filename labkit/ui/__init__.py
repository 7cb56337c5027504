"""What a learner sees and clicks: views drawn in the browser and answered in Python."""
