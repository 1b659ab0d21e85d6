"""The trust feed: how every gateway process learns within a moment what SQL says about trust."""
