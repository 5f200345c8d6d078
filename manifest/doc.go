// Package manifest owns what a tenant wants to run: its canonical form, the hash that the chain holds, the envelope
// that one provider receives, and the demand that follows from it. Languages are its sub-packages (compose), which
// all yield one Project.
//
// It must not know the chain, the agent, or any runtime; it does no input or output but reading random salts.
package manifest
