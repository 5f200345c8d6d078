// Command soukd is the Souk chain's node: it takes part in consensus, serves queries, and signs and sends transactions by
// hand. It holds only the chain; nothing of the provider agent or of containers is linked into it.
package main

import (
	"fmt"
	"os"

	svrcmd "github.com/cosmos/cosmos-sdk/server/cmd"

	"github.com/souk-network/souk/app/scope"
)

func main() {
	scope.Set()
	home := defaultHome()
	root, err := newRootCommand(home)
	if err == nil {
		err = svrcmd.Execute(root, envPrefix, home)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
