"""What a session and the server remember: settings, the sidebar's selection, the URL, trainings."""
