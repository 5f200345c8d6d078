package compat

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	reflectionv1alpha "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// stranger is a client that knows no type of the chain but those that the node has told it.
type stranger struct {
	conn   *grpc.ClientConn
	stream reflectionv1alpha.ServerReflection_ServerReflectionInfoClient
	files  map[string]*descriptorpb.FileDescriptorProto
}

func newStranger(t *testing.T, address string) *stranger {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close()) })
	stream, err := reflectionv1alpha.NewServerReflectionClient(conn).ServerReflectionInfo(t.Context())
	require.NoError(t, err)
	return &stranger{conn: conn, stream: stream, files: map[string]*descriptorpb.FileDescriptorProto{}}
}

func TestReflectionTellsAStrangerAllThatItNeeds(t *testing.T) {
	t.Parallel()
	s := newStranger(t, theNetwork(t).GRPC())
	services := s.services(t)
	for _, module := range []string{"escrow", "provider", "market"} {
		require.Contains(t, services, "souk."+module+".v1.Query")
	}

	t.Run("every query of every service resolves", func(t *testing.T) {
		for _, name := range services {
			if !strings.HasPrefix(name, "souk.") {
				continue
			}
			methods := s.service(t, name).Methods()
			require.Positive(t, methods.Len(), name)
			for i := range methods.Len() {
				require.False(t, methods.Get(i).Input().IsPlaceholder(), methods.Get(i).FullName())
				require.False(t, methods.Get(i).Output().IsPlaceholder(), methods.Get(i).FullName())
			}
		}
	})
	t.Run("a query is answered", func(t *testing.T) {
		var answer struct{ Params struct{ EpochSeconds uint32 } }
		require.NoError(t, s.call(t, "souk.escrow.v1.Query", "Params", `{}`, &answer))
		require.EqualValues(t, 10, answer.Params.EpochSeconds)
	})
	t.Run("a query with arguments is understood", func(t *testing.T) {
		err := s.call(t, "souk.market.v1.Query", "Deployment", `{"id": "987654321"}`, &struct{}{})
		require.Equal(t, codes.NotFound, status.Code(err), "%v", err)
	})
	t.Run("every message of a transaction resolves", func(t *testing.T) {
		told := s.transactionMessages(t)
		for _, url := range soukMessages(t) {
			require.Contains(t, told, url)
			found, err := s.registry(t, strings.TrimPrefix(url, "/")).FindDescriptorByName(protoreflect.FullName(url[1:]))
			require.NoError(t, err)
			require.Positive(t, found.(protoreflect.MessageDescriptor).Fields().Len(), url)
		}
	})
	t.Run("the SDK's own service has the same files", func(t *testing.T) {
		var answer struct{ Files []json.RawMessage }
		require.NoError(t, s.call(t, "cosmos.reflection.v1.ReflectionService", "FileDescriptors", `{}`, &answer))
		var names []string
		for _, raw := range answer.Files {
			var file struct{ Name, Package string }
			require.NoError(t, json.Unmarshal(raw, &file))
			names = append(names, file.Name)
		}
		for _, module := range []string{"escrow", "provider", "market"} {
			for _, file := range []string{"tx", "query", "events", "entities"} {
				require.Contains(t, names, fmt.Sprintf("souk/%s/v1/%s.proto", module, file))
			}
		}
	})
}

// ask sends one request over the reflection stream.
//
//nolint:staticcheck // the SDK serves this version and no other
func (s *stranger) ask(t *testing.T, request *reflectionv1alpha.ServerReflectionRequest) *reflectionv1alpha.ServerReflectionResponse {
	t.Helper()
	require.NoError(t, s.stream.Send(request))
	answer, err := s.stream.Recv()
	require.NoError(t, err)
	require.Nil(t, answer.GetErrorResponse(), "%v", request)
	return answer
}

//nolint:staticcheck // as above
func (s *stranger) services(t *testing.T) []string {
	t.Helper()
	answer := s.ask(t, &reflectionv1alpha.ServerReflectionRequest{
		MessageRequest: &reflectionv1alpha.ServerReflectionRequest_ListServices{},
	})
	var names []string
	for _, service := range answer.GetListServicesResponse().GetService() {
		names = append(names, service.GetName())
	}
	return names
}

// registry resolves the file that defines a symbol, and all that it imports.
func (s *stranger) registry(t *testing.T, symbol string) *protoregistry.Files {
	t.Helper()
	//nolint:staticcheck // as above
	answer := s.ask(t, &reflectionv1alpha.ServerReflectionRequest{
		MessageRequest: &reflectionv1alpha.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: symbol},
	})
	wanted := s.keep(t, answer)
	set, seen := &descriptorpb.FileDescriptorSet{}, map[string]bool{}
	for len(wanted) > 0 {
		name := wanted[0]
		wanted = wanted[1:]
		if seen[name] {
			continue
		}
		seen[name] = true
		file := s.file(t, name)
		set.File = append(set.File, file)
		wanted = append(wanted, file.GetDependency()...)
	}
	files, err := protodesc.NewFiles(set)
	require.NoError(t, err, symbol)
	return files
}

func (s *stranger) file(t *testing.T, name string) *descriptorpb.FileDescriptorProto {
	t.Helper()
	if s.files[name] == nil {
		//nolint:staticcheck // as above
		s.keep(t, s.ask(t, &reflectionv1alpha.ServerReflectionRequest{
			MessageRequest: &reflectionv1alpha.ServerReflectionRequest_FileByFilename{FileByFilename: name},
		}))
	}
	require.NotNil(t, s.files[name], name)
	return s.files[name]
}

// keep decodes the files of an answer and returns their names.
//
//nolint:staticcheck // as above
func (s *stranger) keep(t *testing.T, answer *reflectionv1alpha.ServerReflectionResponse) (names []string) {
	t.Helper()
	for _, raw := range answer.GetFileDescriptorResponse().GetFileDescriptorProto() {
		file := &descriptorpb.FileDescriptorProto{}
		require.NoError(t, proto.Unmarshal(raw, file))
		s.files[file.GetName()] = file
		names = append(names, file.GetName())
	}
	return names
}

func (s *stranger) service(t *testing.T, name string) protoreflect.ServiceDescriptor {
	t.Helper()
	found, err := s.registry(t, name).FindDescriptorByName(protoreflect.FullName(name))
	require.NoError(t, err)
	service, ok := found.(protoreflect.ServiceDescriptor)
	require.True(t, ok, name)
	return service
}

// call invokes a method with messages made from the node's descriptors; request and answer are protobuf's JSON.
func (s *stranger) call(t *testing.T, service, method, request string, answer any) error {
	t.Helper()
	descriptor := s.service(t, service).Methods().ByName(protoreflect.Name(method))
	require.NotNil(t, descriptor, method)
	in, out := dynamicpb.NewMessage(descriptor.Input()), dynamicpb.NewMessage(descriptor.Output())
	require.NoError(t, protojson.Unmarshal([]byte(request), in))
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	if err := s.conn.Invoke(ctx, "/"+service+"/"+method, in, out); err != nil {
		return err
	}
	body, err := protojson.Marshal(out)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(body, answer))
	return nil
}

// transactionMessages are the type URLs of all messages that the node accepts in transactions.
func (s *stranger) transactionMessages(t *testing.T) []string {
	t.Helper()
	var answer struct {
		Tx struct {
			Msgs []struct{ MsgTypeURL string }
		}
	}
	require.NoError(t, s.call(t, "cosmos.base.reflection.v2alpha1.ReflectionService", "GetTxDescriptor", `{}`, &answer))
	var urls []string
	for _, msg := range answer.Tx.Msgs {
		urls = append(urls, msg.MsgTypeURL)
	}
	return urls
}
