// Command soukd is the Souk chain's node: it takes part in consensus, serves queries, and signs and sends transactions by
// hand. It holds only the chain; nothing of the provider agent or of containers is linked into it.
package main

import (
	"fmt"
	"os"

	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/cmd/soukd/node"
)

func main() {
	scope.Set()
	if err := node.Execute(node.NewApp); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
