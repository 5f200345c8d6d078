// Command openapi turns what protoc-gen-openapiv2 says of the chain's modules into the file that nodes serve: routes that
// exist, the messages of transactions, a name of its own for each operation, and a line for each entry, so that changes
// can be read.
//
//	openapi GENERATED.swagger.json >openapi.json
//
// It knows nothing of this repository but how the names of its protobuf packages begin.
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: openapi GENERATED.swagger.json >openapi.json")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(file string) error {
	generated, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read what was generated: %w", err)
	}
	finished, err := finish(generated)
	if err != nil {
		return fmt.Errorf("finish %s: %w", file, err)
	}
	_, err = os.Stdout.Write(finished)
	return err
}
