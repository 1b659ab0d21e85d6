"""The pages people see: server-rendered templates, our own small style sheet and script, German and English."""
