package conformance

// isolationCases is what commands run beside replicas, usage and the walls around them must do.
var isolationCases = []testCase{
	{name: "a command runs beside a replica, plain and in a terminal", run: commands},
	{name: "a command that is cut off leaves nothing behind", run: cutOffCommands},
	{name: "usage is counted from outside and only grows", run: usage},
}
