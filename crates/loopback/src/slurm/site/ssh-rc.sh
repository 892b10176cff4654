# Run by sshd for every command. Each command is a session, and on kernels that schedule by session (autogroup),
# idle priority counts only within a session. So the session as a whole gets a lower priority.
{ echo @NICE@ > /proc/self/autogroup; } 2>/dev/null
