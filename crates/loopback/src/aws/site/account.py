"""Fills an account of emulated AWS with what SkyPilot expects of one, and what moto's lacks.

usage: account.py ENDPOINT REGION...
"""
import getpass
import hashlib
import json
import socket
import sys
from urllib.parse import urlsplit

import boto3

ENDPOINT, *REGIONS = sys.argv[1:]
# Never a real account: boto3 would find one in the shell's variables or the user's home.
if urlsplit(ENDPOINT).hostname != '127.0.0.1':
    sys.exit(f'expected an endpoint on 127.0.0.1, got `{ENDPOINT}`')

# Role of nodes. SkyPilot would make it with a policy without a version, which moto rejects.
ROLE = 'skypilot-v1'
TRUST = {
    'Version': '2012-10-17',
    'Statement': [{
        'Effect': 'Allow',
        'Principal': {'Service': 'ec2.amazonaws.com'},
        'Action': 'sts:AssumeRole',
    }],
}
# SkyPilot's name of its security group: sky/clouds/aws.py, sky/utils/common_utils.py.
HOST = hashlib.md5(socket.gethostname().encode(), usedforsecurity=False).hexdigest()[-4:]
GROUP = f'sky-sg-{getpass.getuser()}-{HOST}'


def client(service, region):
    return boto3.client(service, region_name=region, endpoint_url=ENDPOINT,
                        aws_access_key_id='skyload', aws_secret_access_key='skyload')


def make_way_to_the_internet(ec2, vpc):
    """Without a default route, SkyPilot takes all subnets for private ones."""
    gateway = ec2.create_internet_gateway()['InternetGateway']['InternetGatewayId']
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    of_vpc = [{'Name': 'vpc-id', 'Values': [vpc]}]
    table = ec2.describe_route_tables(Filters=of_vpc)['RouteTables'][0]['RouteTableId']
    ec2.create_route(RouteTableId=table, DestinationCidrBlock='0.0.0.0/0', GatewayId=gateway)


def make_security_group(ec2, vpc):
    """Stands for earlier launches by this user: SkyPilot adds the rules if there are none, without
    a lock, so of several first launches of an account some fail (InvalidPermission.Duplicate, as
    AWS documents it)."""
    group = ec2.create_security_group(
        GroupName=GROUP, VpcId=vpc, Description='Auto-created security group for Ray workers',
        TagSpecifications=[{'ResourceType': 'security-group',
                            'Tags': [{'Key': 'skypilot', 'Value': 'true'}]}])['GroupId']
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[
        {'IpProtocol': '-1', 'FromPort': -1, 'ToPort': -1, 'UserIdGroupPairs': [{'GroupId': group}]},
        {'IpProtocol': 'tcp', 'FromPort': 22, 'ToPort': 22, 'IpRanges': [{'CidrIp': '0.0.0.0/0'}]},
    ])


for region in REGIONS:
    ec2 = client('ec2', region)
    default_vpc = next(vpc['VpcId'] for vpc in ec2.describe_vpcs()['Vpcs'] if vpc['IsDefault'])
    make_way_to_the_internet(ec2, default_vpc)
    make_security_group(ec2, default_vpc)

iam = client('iam', REGIONS[0])
iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(TRUST))
for policy in ('AmazonEC2FullAccess', 'AmazonS3FullAccess'):
    iam.attach_role_policy(RoleName=ROLE, PolicyArn=f'arn:aws:iam::aws:policy/{policy}')
iam.create_instance_profile(InstanceProfileName=ROLE)
iam.add_role_to_instance_profile(InstanceProfileName=ROLE, RoleName=ROLE)
