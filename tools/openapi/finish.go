package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// document is a Swagger 2.0 file. Only what is changed here has a type.
type document struct {
	Swagger     string                          `json:"swagger"`
	Info        info                            `json:"info"`
	Tags        []tag                           `json:"tags"`
	Consumes    json.RawMessage                 `json:"consumes"`
	Produces    json.RawMessage                 `json:"produces"`
	Paths       map[string]map[string]operation `json:"paths"`
	Definitions map[string]json.RawMessage      `json:"definitions"`
}

type info struct {
	Title       string `json:"title"`
	Description string `json:"description"`
	Version     string `json:"version"`
}

type tag struct {
	Name string `json:"name"`
}

type operation struct {
	Summary     string              `json:"summary,omitempty"`
	Description string              `json:"description,omitempty"`
	OperationID string              `json:"operationId"`
	Responses   map[string]response `json:"responses"`
	Parameters  json.RawMessage     `json:"parameters,omitempty"`
	Tags        []string            `json:"tags"`
}

type response struct {
	Description string `json:"description"`
	Schema      struct {
		Ref string `json:"$ref"`
	} `json:"schema"`
}

// about introduces the description.
var about = info{
	Title: "Souk",
	Description: "Queries of Souk's modules over REST. Messages of transactions are among the definitions; they are signed " +
		"and sent through the transaction service of the Cosmos SDK.",
	Version: "v1",
}

// finish returns the description that nodes serve, from the generated one.
func finish(generated []byte) ([]byte, error) {
	var doc document
	decoder := json.NewDecoder(bytes.NewReader(generated))
	decoder.DisallowUnknownFields() // it would be lost
	if err := decoder.Decode(&doc); err != nil {
		return nil, err
	}
	doc.Info = about
	if err := doc.keepRoutes(); err != nil {
		return nil, err
	}
	return doc.print()
}

// keepRoutes takes out the methods that no route leads to, and names the others by their protobuf service: the generated
// names, Query_Params and the like, stand for a method of each module.
func (doc *document) keepRoutes() error {
	services := map[string]bool{}
	for path, methods := range doc.Paths {
		if unbound(path) {
			delete(doc.Paths, path)
			continue
		}
		for verb, op := range methods {
			answer, ok := strings.CutPrefix(op.Responses["200"].Schema.Ref, "#/definitions/")
			service, method, named := strings.Cut(op.OperationID, "_")
			if !ok || !named {
				return fmt.Errorf("%s %s: operation %q with answer %q", verb, path, op.OperationID, answer)
			}
			service = answer[:strings.LastIndex(answer, ".")+1] + service
			services[service] = true
			op.OperationID, op.Tags = service+"."+method, []string{service}
			methods[verb] = op
		}
	}
	doc.Tags = nil
	for _, service := range slices.Sorted(maps.Keys(services)) {
		doc.Tags = append(doc.Tags, tag{service})
	}
	return nil
}

// unbound tells the path of a method without a route, /package.Service/Method, from a route.
func unbound(path string) bool {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return strings.Contains(first, ".")
}

// print writes the document with each path and each definition on a line of its own, sorted.
func (doc *document) print() ([]byte, error) {
	var out bytes.Buffer
	out.WriteString("{\n")
	head := []struct {
		key   string
		value any
	}{
		{"swagger", doc.Swagger},
		{"info", doc.Info},
		{"tags", doc.Tags},
		{"consumes", doc.Consumes},
		{"produces", doc.Produces},
	}
	for _, field := range head {
		if err := line(&out, field.key, field.value, ","); err != nil {
			return nil, err
		}
	}
	out.WriteString("\"paths\": {\n")
	if err := entries(&out, doc.Paths); err != nil {
		return nil, err
	}
	out.WriteString("},\n\"definitions\": {\n")
	if err := entries(&out, doc.Definitions); err != nil {
		return nil, err
	}
	out.WriteString("}\n}\n")
	return out.Bytes(), nil
}

func entries[V any](out *bytes.Buffer, all map[string]V) error {
	keys := slices.Sorted(maps.Keys(all))
	for i, key := range keys {
		end := ","
		if i == len(keys)-1 {
			end = ""
		}
		if err := line(out, key, all[key], end); err != nil {
			return err
		}
	}
	return nil
}

func line(out *bytes.Buffer, key string, value any, end string) error {
	name, err := json.Marshal(key)
	if err != nil {
		return err
	}
	var compact bytes.Buffer
	encoder := json.NewEncoder(&compact)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	fmt.Fprintf(out, "%s: %s%s\n", name, bytes.TrimRight(compact.Bytes(), "\n"), end)
	return nil
}
