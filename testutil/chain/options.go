package chain

import (
	"encoding/json"

	"github.com/cosmos/cosmos-sdk/types/module"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
)

type settings struct {
	stores   []string
	accounts map[string][]string
	modules  []func(*Chain) module.AppModule
	genesis  map[string]json.RawMessage
	plain    bool
}

func newSettings(options []Option) settings {
	s := settings{accounts: make(map[string][]string), genesis: make(map[string]json.RawMessage)}
	for _, option := range options {
		option(&s)
	}
	return s
}

// Option changes how a chain starts.
type Option func(*settings)

// WithStore mounts one more store.
func WithStore(name string) Option {
	return func(s *settings) { s.stores = append(s.stores, name) }
}

// WithModuleAccount adds a module account with its permissions.
func WithModuleAccount(name string, permissions ...string) Option {
	return func(s *settings) { s.accounts[name] = permissions }
}

// WithModule adds a module after Souk's own ones; build may use all keepers of the chain. Its block hooks run, and its
// genesis is imported.
func WithModule(build func(*Chain) module.AppModule) Option {
	return func(s *settings) { s.modules = append(s.modules, build) }
}

// WithGenesis starts a module from a state instead of its default, in JSON.
func WithGenesis(name string, state json.RawMessage) Option {
	return func(s *settings) { s.genesis[name] = state }
}

// WithState starts all modules from an exported state.
func WithState(state map[string]json.RawMessage) Option {
	return func(s *settings) {
		for name, genesis := range state {
			s.genesis[name] = genesis
		}
	}
}

// WithEscrowParams starts x/escrow with other parameters, and nothing else in it.
func WithEscrowParams(params escrowtypes.Params) Option {
	return func(s *settings) {
		genesis := escrowtypes.DefaultGenesis()
		genesis.Params, genesis.Clock = params, escrowtypes.FirstClock(params)
		s.genesis[escrowtypes.ModuleName] = JSON(genesis)
	}
}

// WithoutHistory keeps only the present state, in plain stores without Merkle trees: for runs of many blocks.
func WithoutHistory() Option {
	return func(s *settings) { s.plain = true }
}
