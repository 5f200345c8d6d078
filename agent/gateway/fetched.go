package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/agent/token"
)

// maxNamed digests of one image, over all its platforms; what names more is not given away.
const maxNamed = 4096

// imageIndex is what an image manifest or an index names.
type imageIndex struct {
	Manifests []struct {
		Digest string `json:"digest"`
	} `json:"manifests"`
	Config struct {
		Digest string `json:"digest"`
	} `json:"config"`
	Layers []struct {
		Digest string `json:"digest"`
	} `json:"layers"`
}

// namedBy adds the digest of an image and of everything that it names, as far as that is here.
func (s *Server) namedBy(ctx context.Context, owner, image string, allowed map[string]bool) error {
	_, digest, ok := strings.Cut(image, "@")
	if !ok {
		return nil
	}
	next := []string{digest}
	for len(next) > 0 {
		digest, next = next[0], next[1:]
		if allowed[digest] {
			continue
		}
		allowed[digest] = true
		_, body, err := s.runtime.Images().GetManifest(ctx, runtime.Scope(owner), "any", digest)
		if errors.Is(err, runtime.ErrNotFound) {
			continue // of a platform that nobody pushed
		}
		if err != nil {
			return fmt.Errorf("read image %s: %w", digest, err)
		}
		var index imageIndex
		if err := json.Unmarshal(body, &index); err != nil {
			return fmt.Errorf("read image %s: %w", digest, err)
		}
		for _, m := range index.Manifests {
			next = append(next, m.Digest)
		}
		for _, l := range index.Layers {
			allowed[l.Digest] = true
		}
		if index.Config.Digest != "" {
			allowed[index.Config.Digest] = true
		}
		if len(allowed)+len(next) > maxNamed {
			return fmt.Errorf("image %s names more than %d others", image, maxNamed)
		}
	}
	return nil
}

// fetchRoute lets a provider read, by digest, the pushed images of the group that its lease runs, and nothing else.
func (s *Server) fetchRoute(w http.ResponseWriter, r *http.Request, grant token.Grant, lease uint64, kind string, call *registryCall) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead || kind != "manifests" && kind != "blobs" || !digestPattern.MatchString(call.rest) {
		refuse(w, http.StatusForbidden, "DENIED", errors.New("with this token images are read by digest"))
		return
	}
	claim, err := s.claimed(r.Context(), grant, lease, kind == "manifests")
	if err != nil {
		_, code := refusalOf(err)
		s.record(r, grant, lease, "Pull", code, "")
		refuseLease(w, err)
		return
	}
	_, group, err := s.entitledTo(claim)
	if err != nil {
		refuse(w, http.StatusNotFound, "NAME_UNKNOWN", err)
		return
	}
	allowed, err := s.runsOf(r.Context(), claim.Owner, group)
	if err != nil {
		call.fail(err, "MANIFEST_UNKNOWN")
		return
	}
	if !allowed[call.rest] {
		refuse(w, http.StatusNotFound, "BLOB_UNKNOWN", errors.New("no image of the lease has it"))
		return
	}
	call.scope = runtime.Scope(claim.Owner)
	if kind == "manifests" {
		call.getManifest()
		return
	}
	call.blobs()
}
