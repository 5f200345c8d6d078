// Package openapi holds the description of the chain's REST routes and messages, generated from proto/ by `make proto`, and
// serves it beside the SDK's. It knows nothing of the application.
package openapi

import (
	_ "embed"
	"fmt"
	"io/fs"
	"net/http"

	"github.com/gorilla/mux"

	"github.com/cosmos/cosmos-sdk/client/docs"
)

// Path is where a node serves the description of Souk's routes, a Swagger 2.0 file.
const Path = "/openapi.json"

var (
	//go:embed openapi.json
	description []byte

	// page shows both descriptions with the SDK's copy of Swagger UI.
	//
	//go:embed index.html
	page []byte
)

// Register adds the description at Path, and below /swagger/ a page to read it and that of the SDK's own routes.
func Register(router *mux.Router) error {
	files, err := fs.Sub(docs.SwaggerUI, "swagger-ui")
	if err != nil {
		return fmt.Errorf("find the files of Swagger UI: %w", err)
	}
	router.Path(Path).Handler(serve("application/json", description))
	router.Path("/swagger/").Handler(serve("text/html; charset=utf-8", page))
	router.PathPrefix("/swagger/").Handler(http.StripPrefix("/swagger/", http.FileServer(http.FS(files))))
	return nil
}

func serve(contentType string, content []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write(content) // a reader that went away has no use for an error
	})
}
