"""The commands. Values to screens; stdout is data, stderr is talk."""
