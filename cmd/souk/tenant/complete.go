package tenant

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// completeTimeout bounds what a key press at the shell may wait for.
const completeTimeout = 2 * time.Second

// noFiles is the answer of completions that know nothing.
const noFiles = cobra.ShellCompDirectiveNoFileComp

type completion func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective)

// completeFlag completes the values of a flag that the command has.
func completeFlag(cmd *cobra.Command, flag string, complete completion) {
	// It fails for a flag that is not there or has one already: a mistake that no user can make.
	if err := cmd.RegisterFlagCompletionFunc(flag, complete); err != nil {
		panic(fmt.Sprintf("complete --%s of %s: %v", flag, cmd.Name(), err))
	}
}

// words completes with fixed words, also behind a comma.
func words(list ...string) completion {
	return func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		before := typed[:strings.LastIndexByte(typed, ',')+1]
		var out []string
		for _, word := range list {
			out = append(out, before+word)
		}
		return out, noFiles
	}
}

// ask opens a connection for a completion; what cannot be asked completes nothing.
func ask(cmd *cobra.Command, what func(context.Context, *tenant) ([]string, error)) []string {
	parent := cmd.Context()
	if parent == nil {
		parent = context.Background()
	}
	ctx, cancel := context.WithTimeout(parent, completeTimeout)
	defer cancel()
	cmd.SetContext(ctx)
	t, err := openReader(cmd)
	if err != nil {
		return nil
	}
	defer t.Close()
	found, err := what(ctx, t)
	if err != nil {
		return nil
	}
	return found
}

// completeNames completes the name of an open deployment.
func completeNames(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, noFiles
	}
	return ask(cmd, deploymentNames), noFiles
}

func deploymentNames(ctx context.Context, t *tenant) ([]string, error) {
	deployments, err := t.openDeployments(ctx)
	var names []string
	for _, d := range deployments {
		names = append(names, d.Name)
	}
	return names, err
}

// completeTargets completes DEPLOYMENT, and behind the slash its services.
func completeTargets(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	name, _, cut := strings.Cut(typed, "/")
	if !cut {
		return ask(cmd, deploymentNames), noFiles | cobra.ShellCompDirectiveNoSpace
	}
	return ask(cmd, func(ctx context.Context, t *tenant) ([]string, error) {
		_, found, err := t.places(ctx, target{deployment: name}, chosen{replica: -1})
		var out []string
		for _, p := range found {
			out = append(out, name+"/"+p.replica.GetService())
		}
		slices.Sort(out)
		return slices.Compact(out), err
	}), noFiles
}

// completeManyTargets completes any number of targets.
func completeManyTargets(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	return completeTargets(cmd, nil, typed)
}

// completeLeases completes the number of a live lease, described by its deployment.
func completeLeases(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return ask(cmd, func(ctx context.Context, t *tenant) ([]string, error) {
		deployments, err := t.openDeployments(ctx)
		if err != nil {
			return nil, err
		}
		var out []string
		for _, d := range deployments {
			leases, err := t.leases(ctx, d.Id)
			if err != nil {
				return nil, err
			}
			for _, l := range leases {
				if live(l) {
					out = append(out, cobra.CompletionWithDesc(strconv.FormatUint(l.Id, 10), d.Name))
				}
			}
		}
		return out, nil
	}), noFiles
}
