# Run by sshd for every command. Each is a session of its own, and where the kernel groups processes by sessions
# (autogroup), idle priority counts only within one. The group as a whole must be at a lower priority.
{ echo @NICE@ > /proc/self/autogroup; } 2>/dev/null
