package app_test

import (
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	cosmos_proto "github.com/cosmos/cosmos-proto"
	gogoproto "github.com/cosmos/gogoproto/proto"
	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/app/apptest"
	"github.com/souk-network/souk/app/openapi"
)

// description is what the test reads of an OpenAPI file.
type description struct {
	Swagger     string
	Paths       map[string]map[string]struct{ OperationID string }
	Definitions map[string]json.RawMessage
}

// TestEveryRouteIsDescribedAndAnswers reads the description from a node, and asks the node at every route of our modules.
func TestEveryRouteIsDescribedAndAnswers(t *testing.T) {
	node := apptest.StartNode(t, apptest.Options{})
	var described description
	get(t, node.RESTAddress+openapi.Path, &described)
	require.Equal(t, "2.0", described.Swagger)

	routes := soukRoutes(t)
	require.Len(t, described.Paths, len(routes), "routes that do not exist are described")
	for path, method := range routes {
		t.Run(path, func(t *testing.T) {
			require.Equal(t, string(method.FullName()), described.Paths[path]["get"].OperationID)
			status, body := ask(t, node.RESTAddress+fillIn(path, method.Input(), node.Accounts[0].String()))
			// Nothing has happened on this chain: what is asked for by name or number is not there, and some routes want more
			// than is in their path. Where there is no route, the gateway answers that it is not implemented.
			require.Contains(t, []int{http.StatusOK, http.StatusNotFound, http.StatusBadRequest}, status, body)
			var answer map[string]any
			require.NoError(t, json.Unmarshal([]byte(body), &answer), body)
		})
	}
	t.Run("every message of a transaction is described", func(t *testing.T) {
		for _, url := range node.App.Encoding().InterfaceRegistry.ListImplementations(sdk.MsgInterfaceProtoName) {
			if name := strings.TrimPrefix(url, "/"); strings.HasPrefix(name, "souk.") {
				require.Contains(t, described.Definitions, name)
			}
		}
	})
	t.Run("it is complete", func(t *testing.T) {
		_, body := ask(t, node.RESTAddress+openapi.Path)
		references := regexp.MustCompile(`"#/definitions/([^"]+)"`).FindAllStringSubmatch(body, -1)
		require.NotEmpty(t, references)
		for _, reference := range references {
			require.Contains(t, described.Definitions, reference[1])
		}
	})
	t.Run("a page shows it", func(t *testing.T) {
		status, body := ask(t, node.RESTAddress+"/swagger/")
		require.Equal(t, http.StatusOK, status)
		for _, file := range regexp.MustCompile(`"(?:\./|\.\./)([^"]+)"`).FindAllStringSubmatch(body, -1) {
			at := "/swagger/" + file[1]
			if file[1] == openapi.Path[1:] {
				at = openapi.Path
			}
			status, _ := ask(t, node.RESTAddress+at)
			require.Equal(t, http.StatusOK, status, file[1])
		}
	})
}

// soukRoutes lists the REST routes of our modules' queries with their methods, as the protobuf files in this program have
// them.
func soukRoutes(t *testing.T) map[string]protoreflect.MethodDescriptor {
	t.Helper()
	routes := map[string]protoreflect.MethodDescriptor{}
	files, err := gogoproto.MergedRegistry()
	require.NoError(t, err)
	files.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		query := file.Services().ByName("Query")
		if query == nil || !strings.HasPrefix(string(file.Package()), "souk.") {
			return true
		}
		for i := range query.Methods().Len() {
			method := query.Methods().Get(i)
			rule, ok := proto.GetExtension(method.Options(), annotations.E_Http).(*annotations.HttpRule)
			require.True(t, ok && rule.GetGet() != "", "%s has no route", method.FullName())
			routes[rule.GetGet()] = method
		}
		return true
	})
	require.NotEmpty(t, routes)
	return routes
}

// fillIn puts an address where a route takes one, a number elsewhere.
func fillIn(path string, request protoreflect.MessageDescriptor, address string) string {
	return regexp.MustCompile(`\{(\w+)\}`).ReplaceAllStringFunc(path, func(parameter string) string {
		field := request.Fields().ByName(protoreflect.Name(strings.Trim(parameter, "{}")))
		if proto.GetExtension(field.Options(), cosmos_proto.E_Scalar) == "cosmos.AddressString" {
			return address
		}
		return "7"
	})
}

func ask(t *testing.T, url string) (status int, body string) {
	t.Helper()
	require.Eventually(t, func() bool {
		response, err := http.Get(url)
		if err != nil {
			return false
		}
		defer response.Body.Close()
		raw, err := io.ReadAll(response.Body)
		status, body = response.StatusCode, string(raw)
		// Until the first block there is no state to answer from.
		return err == nil && status != http.StatusInternalServerError
	}, 10*time.Second, 50*time.Millisecond, "GET %s", url)
	return status, body
}
