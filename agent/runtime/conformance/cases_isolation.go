package conformance

// isolationCases is what commands run beside replicas, usage and the walls around them must do.
var isolationCases = []testCase{
	{name: "a command runs beside a replica, plain and in a terminal", run: commands},
	{name: "a command that is cut off leaves nothing behind", run: cutOffCommands},
	{name: "usage is counted from outside and only grows", run: usage},
	{name: "the security floor holds whatever a workload asks for", run: floor},
	{name: "a workload that forks without end harms no neighbour and ends with its lease", run: forkBomb},
	{name: "a service may drop powers and join groups", run: choices},
	{name: "root of a container is nobody on the host", run: userNamespaces},
}
