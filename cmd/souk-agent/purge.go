package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/souk-network/souk/agent/config"
	"github.com/souk-network/souk/agent/instance"
	"github.com/souk-network/souk/client/fault"
)

func purgeCommand() *cobra.Command {
	var id string
	var dead, list, keepData bool
	cmd := &cobra.Command{
		Use:   "purge",
		Short: "Remove all that a stopped agent left on this machine",
		Long: `Remove containers, networks, mounts, rules, images and volumes of an agent that
does not run any more: the one of this home folder, the one named by --instance,
or all ephemeral ones that died over a minute ago. A running agent is never touched.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if os.Geteuid() != 0 && !list {
				return needRoot("purge")
			}
			switch {
			case list:
				return listInstances(cmd)
			case dead:
				return purgeDead(cmd)
			case id != "":
				parsed, err := instance.ParseID(id)
				if err != nil {
					return err
				}
				return purgeOne(cmd, parsed, keepData)
			default:
				return purgeOwn(cmd, keepData)
			}
		},
	}
	cmd.Flags().StringVar(&id, "instance", "", "instance to purge, 8 hex digits")
	cmd.Flags().BoolVar(&dead, "dead", false, "purge the ephemeral instances whose agents died over a minute ago")
	cmd.Flags().BoolVar(&list, "list", false, "list the instances of this machine")
	cmd.Flags().BoolVar(&keepData, "keep-data", false, "keep images and records: the next start brings everything back, as after a restart of the machine")
	cmd.MarkFlagsMutuallyExclusive("instance", "dead", "list")
	cmd.MarkFlagsMutuallyExclusive("keep-data", "dead")
	return withSettings(cmd)
}

func needRoot(command string) error {
	return fault.Newf("this needs root", "sudo souk-agent "+command, "containers, mounts and networks belong to root")
}

func listInstances(cmd *cobra.Command) error {
	records, err := instance.List()
	if err != nil {
		return err
	}
	for _, r := range records {
		state := "dead"
		if r.Alive {
			state = "alive"
		}
		if r.Ephemeral {
			state += ", ephemeral"
		}
		if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s  %s  %s  %s  (%s)\n", r.ID, r.ChainID, r.Provider, r.StateDir, state); err != nil {
			return err
		}
	}
	return nil
}

func purgeDead(cmd *cobra.Command) error {
	ids, err := instance.PurgeDead(cmd.Context())
	for _, id := range ids {
		cmd.PrintErrln("purged", id)
	}
	return err
}

// purgeOwn purges what was run from this home folder; nothing there is no error.
func purgeOwn(cmd *cobra.Command, keepData bool) error {
	cfg, err := load(cmd)
	if err != nil {
		return err
	}
	records, err := instance.List()
	if err != nil {
		return err
	}
	for _, r := range records {
		if !isOwn(r, cfg) {
			continue
		}
		if err := purgeOne(cmd, r.ID, keepData); err != nil {
			return err
		}
	}
	return nil
}

// isOwn tells whether a record is of this home folder's agent. One that cannot be read has nothing but its id, which is
// known when the settings name the provider.
func isOwn(r instance.Record, cfg config.Config) bool {
	return r.StateDir == cfg.StateDir ||
		cfg.Provider != "" && r.ID == instance.IDOf(cfg.Client.ChainID, cfg.Provider, cfg.StateDir)
}

func purgeOne(cmd *cobra.Command, id instance.ID, keepData bool) error {
	remove := instance.Purge
	if keepData {
		remove = instance.Clear
	}
	err := remove(cmd.Context(), id)
	switch {
	case errors.Is(err, instance.ErrRunning):
		return fault.New("instance "+string(id)+" can not be purged", err, "stop its souk-agent first")
	case errors.Is(err, context.Canceled):
		return err
	case err != nil:
		return fault.New("instance "+string(id)+" could not be purged whole", err, "run the same command again")
	}
	cmd.PrintErrln("purged", id)
	return nil
}
